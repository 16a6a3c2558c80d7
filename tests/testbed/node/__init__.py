"""A real node: kubelet, containerd and kube-proxy in namespaces of their own. Linux, as root."""
