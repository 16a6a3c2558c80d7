module meditron.test/pause

go 1.26.0
