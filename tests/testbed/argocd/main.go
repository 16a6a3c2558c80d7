// Two programs of Argo CD, and the cache that they share, in one binary: the name it is started under chooses which
// one runs. It is built inside a copy of Argo CD's module, whose versions and replacements count there.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
)

func main() {
	var err error
	switch name := filepath.Base(os.Args[0]); name {
	case "argocd-application-controller":
		err = controller.NewCommand().Execute()
	case "argocd-repo-server":
		err = reposerver.NewCommand().Execute()
	case "argocd-redis":
		err = serveCache(os.Args[1:])
	default:
		err = fmt.Errorf("%s is no program of Argo CD", name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveCache is Argo CD's own double of Redis, on the address given: entries live as long as they were told to.
func serveCache(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("usage: argocd-redis ADDRESS:PORT")
	}
	cache := miniredis.NewMiniRedis()
	if err := cache.StartAddr(arguments[0]); err != nil {
		return err
	}
	defer cache.Close()
	over := make(chan os.Signal, 1)
	signal.Notify(over, os.Interrupt, syscall.SIGTERM)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-second.C:
			cache.FastForward(time.Second) // by itself its time stands still
		case <-over:
			return nil
		}
	}
}
