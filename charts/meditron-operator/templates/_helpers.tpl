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

{{/* The name of the priority of operator and guard. */}}
{{- define "meditron.priorityClass" -}}
{{ .Values.priorityClassName | default "meditron-critical" }}
{{- end }}

{{/* What the pods of operator and guard have in common. */}}
{{- define "meditron.pod" -}}
enableServiceLinks: false
priorityClassName: {{ include "meditron.priorityClass" . }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 0 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "meditron.image" -}}
image: {{ required "image.reference: the operator's image, as repository@sha256:<digest>" .Values.image.reference | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{- define "meditron.container" -}}
ports:
- {name: health, containerPort: 8080}
{{ include "meditron.restricted" . }}
{{- end }}

{{/* What no container of ours may. */}}
{{- define "meditron.restricted" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Selects the namespaces whose deployments the operator serves. */}}
{{- define "meditron.servedNamespaces" -}}
{{- with .Values.watch.namespaces -}}
matchExpressions:
- {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
{{- else -}}
{}
{{- end }}
{{- end }}
