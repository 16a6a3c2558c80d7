// A minimal operator on controller-runtime: Owns() for every kind, CreateOrPatch, ten workers.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	workers     = 10
	name, space = "placeholder-name", "placeholder-space"
)

var kind = schema.GroupVersionKind{Group: "meditron.ai", Version: "v1alpha1", Kind: "MeditronDeployment"}

type reconciler struct {
	client.Client
	children string
}

func owner() *unstructured.Unstructured {
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(kind)
	return found
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	deployment := owner()
	if err := r.Get(ctx, request.NamespacedName, deployment); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	text := strings.NewReplacer(name, request.Name, space, request.Namespace).Replace(r.children)
	var manifests []json.RawMessage
	if err := json.Unmarshal([]byte(text), &manifests); err != nil {
		return ctrl.Result{}, err
	}
	for _, manifest := range manifests {
		if err := r.child(ctx, deployment, manifest); err != nil {
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{}, r.report(ctx, deployment)
}

func (r *reconciler) child(ctx context.Context, deployment *unstructured.Unstructured, manifest []byte) error {
	var head struct{ Kind string }
	if err := json.Unmarshal(manifest, &head); err != nil {
		return err
	}
	live, mutate, err := typed(head.Kind, manifest)
	if err != nil {
		return err
	}
	_, err = controllerutil.CreateOrPatch(ctx, r.Client, live, func() error {
		mutate()
		return controllerutil.SetControllerReference(deployment, live, r.Scheme())
	})
	return err
}

// typed returns an empty object of the name that is wanted, and what makes it as it is wanted.
func typed(kind string, manifest []byte) (client.Object, func(), error) {
	switch kind {
	case "StatefulSet":
		want, live := &appsv1.StatefulSet{}, &appsv1.StatefulSet{}
		err := decode(manifest, want, live)
		return live, func() { live.Labels, live.Spec = want.Labels, want.Spec }, err
	case "Service":
		want, live := &corev1.Service{}, &corev1.Service{}
		err := decode(manifest, want, live)
		return live, func() {
			live.Labels = want.Labels
			live.Spec.Selector, live.Spec.Ports = want.Spec.Selector, want.Spec.Ports
			live.Spec.PublishNotReadyAddresses = want.Spec.PublishNotReadyAddresses
			if live.ResourceVersion == "" {
				live.Spec.ClusterIP = want.Spec.ClusterIP
			}
		}, err
	case "NetworkPolicy":
		want, live := &networkingv1.NetworkPolicy{}, &networkingv1.NetworkPolicy{}
		err := decode(manifest, want, live)
		return live, func() { live.Labels, live.Spec = want.Labels, want.Spec }, err
	case "ServiceAccount":
		want, live := &corev1.ServiceAccount{}, &corev1.ServiceAccount{}
		err := decode(manifest, want, live)
		return live, func() {
			live.Labels, live.AutomountServiceAccountToken = want.Labels, want.AutomountServiceAccountToken
		}, err
	}
	return nil, nil, fmt.Errorf("no such child: %s", kind)
}

func decode(manifest []byte, want, live client.Object) error {
	if err := json.Unmarshal(manifest, want); err != nil {
		return err
	}
	live.SetName(want.GetName())
	live.SetNamespace(want.GetNamespace())
	return nil
}

func (r *reconciler) report(ctx context.Context, deployment *unstructured.Unstructured) error {
	seen, _, _ := unstructured.NestedInt64(deployment.Object, "status", "observedGeneration")
	if seen == deployment.GetGeneration() {
		return nil
	}
	before := deployment.DeepCopy()
	status := map[string]any{"phase": "Idle", "observedGeneration": deployment.GetGeneration()}
	if err := unstructured.SetNestedMap(deployment.Object, status, "status"); err != nil {
		return err
	}
	return r.Status().Patch(ctx, deployment, client.MergeFrom(before))
}

func run() error {
	ctrl.SetLogger(zap.New())
	children, err := os.ReadFile(os.Getenv("CHILDREN"))
	if err != nil {
		return err
	}
	options := ctrl.Options{Scheme: clientgoscheme.Scheme, Metrics: metricsserver.Options{BindAddress: "0"}}
	configuration := ctrl.GetConfigOrDie()
	configuration.QPS = -1 // else the client waits, and that would be what is measured
	manager, err := ctrl.NewManager(configuration, options)
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).Named("baseline").For(owner()).
		Owns(&appsv1.StatefulSet{}).Owns(&corev1.Service{}).Owns(&networkingv1.NetworkPolicy{}).
		Owns(&corev1.ServiceAccount{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(&reconciler{Client: manager.GetClient(), children: string(children)})
	if err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
