{{- define "meditron.labels" -}}
app.kubernetes.io/name: meditron-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "meditron.selector" -}}
app.kubernetes.io/name: meditron-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
