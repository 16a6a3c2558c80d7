{{- define "meditron.labels" -}}
app.kubernetes.io/name: meditron-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Operator and guard have the same name: the models' NetworkPolicies let it in. The component tells them apart. */}}
{{- define "meditron.selector" -}}
app.kubernetes.io/name: meditron-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "meditron.guardSelector" -}}
app.kubernetes.io/name: meditron-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: guard
{{- end }}
