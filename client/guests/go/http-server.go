// A stock net/http server on the listener that the program inherits as descriptor 3.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from %s, %s\n", r.URL.Path, r.Header.Get("User-Agent"))
	})
	server := &http.Server{}
	quit := make(chan bool, 1)
	http.HandleFunc("/quit", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "bye")
		quit <- true
	})
	go func() {
		<-quit
		server.Shutdown(context.Background())
		os.Exit(0)
	}()
	fmt.Println("serving")
	if err := server.Serve(listener); err != http.ErrServerClosed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}
