"""What scanners say of everything that is rendered, and which of it is accepted, with the reason."""
