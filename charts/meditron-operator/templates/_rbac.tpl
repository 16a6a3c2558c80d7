{{/*
What the operator may where it serves deployments: exactly the verbs that meditron_operator/shell/cluster.py sends for
objects in a namespace.
*/}}
{{- define "meditron.servingRules" -}}
- apiGroups: [meditron.ai]
  resources: [meditrondeployments]
  verbs: [list, watch]
- apiGroups: [meditron.ai]
  resources: [meditrondeployments/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, update]
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: [get, list, watch, create, update]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [""]
  resources: [pods]  # who holds GPUs; a replica of an older template that crashes is deleted: nobody else replaces it
  verbs: [list, watch, delete]
- apiGroups: [apps]
  resources: [controllerrevisions]  # the template to go back to
  verbs: [get]
- apiGroups: [""]
  resources: [pods/status]  # the condition behind the readiness gate of a model's pod
  verbs: [patch]
- apiGroups: [""]
  resources: [pods/log]  # the lines that an engine writes while it starts: how large its KV cache became
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}
