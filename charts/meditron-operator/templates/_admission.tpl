{{/* Whether the object that `.` names is switched off: engaged, or released and not resumed yet. */}}
{{- define "meditron.off" -}}
(has({{ . }}.metadata.annotations) && ('meditron.ai/kill-switch' in {{ . }}.metadata.annotations || ('meditron.ai/release-approved-by' in {{ . }}.metadata.annotations && !('meditron.ai/resume' in {{ . }}.metadata.annotations))))
{{- end }}

{{/*
Whether the object that `.` names, while it is off, lets a warm pod that ended come back: held, and nothing but that.
What was released and not resumed counts in full, since its mode is not told here any more.
*/}}
{{- define "meditron.held" -}}
(has({{ . }}.metadata.annotations) && {{ . }}.metadata.annotations[?'meditron.ai/kill-switch'].orValue('') == 'hold' && !('meditron.ai/release-approved-by' in {{ . }}.metadata.annotations && !('meditron.ai/resume' in {{ . }}.metadata.annotations)))
{{- end }}

{{/* Whether a pod is born with its gate closed, so that no client is sent to it before the operator opens the gate. */}}
{{- define "meditron.gated" -}}
request.operation == 'CREATE' && object.spec.?readinessGates.orValue([]).exists(gate, gate.conditionType == 'meditron.ai/serving')
{{- end }}

{{- define "meditron.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:meditron-operator
{{- end }}

{{/* System namespaces hold no models; a cluster must be able to start without asking these policies. */}}
{{- define "meditron.elsewhere" -}}
namespaceSelector:
  matchExpressions:
  - {key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system, kube-public, kube-node-lease]}
{{- end }}

{{/* A policy looks at every MeditronDeployment of the request's namespace, or at the operator's namespace. */}}
{{- define "meditron.deploymentParams" -}}
paramKind: {apiVersion: meditron.ai/v1alpha1, kind: MeditronDeployment}
{{- end }}

{{- define "meditron.clusterParams" -}}
paramKind: {apiVersion: v1, kind: Namespace}
{{- end }}

{{/* The deny-policy of `params`, and whether it must stay. */}}
{{- define "meditron.denies.variables" -}}
- name: isOff
  expression: >-
    {{ include "meditron.off" "params" }} ||
    {{ include "meditron.off" "namespaceObject" }}
- name: byOperator
  expression: "request.userInfo.username == '{{ include "meditron.operatorUser" . }}'"
- name: denies
  expression: >-
    oldObject != null && (oldObject.metadata.name == params.metadata.name + '-deny' ||
    (oldObject.metadata.name.endsWith('-deny') &&
    oldObject.metadata.?labels[?'meditron.ai/deployment'].orValue('') == params.metadata.name))
{{- end }}

{{- define "meditron.denies.validation" -}}
- expression: "!variables.isOff || !variables.denies || variables.byOperator"
  messageExpression: "'the kill switch keeps ' + params.metadata.name + ' off: its deny-policy stays'"
  message: the kill switch keeps the deployment off, and its deny-policy stays
  reason: Forbidden
{{- end }}

{{/*
Whether the request lets the replicas of an object with spec.replicas rise. A condition of the match, since a policy with
parameters is asked once for each deployment of the namespace, and a stop must not wait for that. Nothing in it can fail:
a stored spec may be anything, and must not keep a stop or a release from its object.
*/}}
{{- define "meditron.rises" -}}
matchConditions:
- name: replicas-rise
  expression: >-
    type({{ include "meditron.replicas" "object" }}) == int && {{ include "meditron.replicas" "object" }} >
    (oldObject != null && type({{ include "meditron.replicas" "oldObject" }}) == int ? {{ include "meditron.replicas" "oldObject" }} : 0)
{{- end }}

{{- define "meditron.replicas" -}}
(has({{ . }}.spec) && type({{ . }}.spec) == map ? {{ . }}.spec[?'replicas'].orValue(0) : 0)
{{- end }}

{{/* Arguments: name, optionally policy, param (deployment or cluster), notFound, operations with resources, root. */}}
{{- define "meditron.binding" -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels: {{- include "meditron.labels" .root | nindent 4 }}
spec:
  policyName: {{ .policy | default .name }}
  validationActions: [Deny, Audit]
  {{- if eq (.param | default "") "deployment" }}
  paramRef: {selector: {}, parameterNotFoundAction: {{ .notFound }}}
  {{- else if eq (.param | default "") "cluster" }}
  paramRef: {name: {{ .root.Release.Namespace }}, parameterNotFoundAction: {{ .notFound }}}
  {{- end }}
  {{- with .operations }}
  matchResources:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [{{ . }}], resources: [pods]}
  {{- end }}
{{- end }}

{{/*
The latch, for whatever carries the annotation: what may become of it, by whom. Argument: the ResourceCheck on
which the verbs of the switch are asked for.

The API server has no clock for rules, but writes its own time into managedFields for every write that sets a field.
Whatever a client forges there, the server's entry for this very request is among them.
*/}}
{{- define "meditron.latch.variables" -}}
- name: old
  expression: "oldObject != null && has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}"
# A server-side apply that takes the last annotation away leaves null.
- name: new
  expression: >-
    object == null ? variables.old :
    has(object.metadata.annotations) && type(object.metadata.annotations) == map ? object.metadata.annotations : {}
- name: wasEngaged
  expression: "'meditron.ai/kill-switch' in variables.old"
- name: isEngaged
  expression: "'meditron.ai/kill-switch' in variables.new"
- name: wasReleased
  expression: "!variables.wasEngaged && 'meditron.ai/release-approved-by' in variables.old && !('meditron.ai/resume' in variables.old)"
- name: releasing
  expression: "variables.wasEngaged && !variables.isEngaged"
- name: me
  expression: request.userInfo.username
- name: aPerson
  expression: "!request.userInfo.username.startsWith('system:serviceaccount:')"
# Taking the leftover of an earlier release off an engaged one is a request, also within the second of the last.
- name: setsRequest
  expression: >-
    ['meditron.ai/release-requested-by', 'meditron.ai/release-requested-at'].exists(key,
    key in variables.new && variables.new[key] != variables.old[?key].orValue('')) || (variables.isEngaged &&
    'meditron.ai/release-approved-by' in variables.old && !('meditron.ai/release-approved-by' in variables.new))
- name: setsApproval
  expression: >-
    'meditron.ai/release-approved-by' in variables.new &&
    variables.new['meditron.ai/release-approved-by'] != variables.old[?'meditron.ai/release-approved-by'].orValue('')
- name: setsResume
  expression: >-
    'meditron.ai/resume' in variables.new &&
    variables.new['meditron.ai/resume'] != variables.old[?'meditron.ai/resume'].orValue('')
- name: stops
  expression: >-
    variables.isEngaged &&
    variables.new['meditron.ai/kill-switch'] != variables.old[?'meditron.ai/kill-switch'].orValue('')
- name: wasDrill
  expression: "variables.wasEngaged && variables.old[?'meditron.ai/kill-reason'].orValue('') == 'drill'"
- name: isDrill
  expression: "variables.new[?'meditron.ai/kill-reason'].orValue('') == 'drill'"
- name: writes
  expression: "object != null && has(object.metadata.managedFields) ? object.metadata.managedFields.filter(entry, has(entry.time)) : []"
- name: earlierWrites
  expression: "oldObject != null && has(oldObject.metadata.managedFields) ? oldObject.metadata.managedFields.filter(entry, has(entry.time)) : []"
# Empty when the same client wrote within the same second.
- name: thisWrite
  expression: >-
    variables.writes.filter(entry, !variables.earlierWrites.exists(earlier,
    earlier.manager == entry.manager && earlier.time == entry.time))
- name: requestedAt
  expression: >-
    variables.new[?'meditron.ai/release-requested-at'].orValue('').matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$')
    ? timestamp(variables.new['meditron.ai/release-requested-at']) : timestamp('1970-01-01T00:00:00Z')
{{- end }}

{{- define "meditron.latch.validations" -}}
- expression: "!variables.stops || variables.new['meditron.ai/kill-switch'] in ['hold', 'drain', 'halt']"
  message: "meditron.ai/kill-switch must be halt, drain or hold"
- expression: >-
    !(variables.wasEngaged && variables.isEngaged) ||
    (variables.new['meditron.ai/kill-switch'] == 'hold' ? 1 : variables.new['meditron.ai/kill-switch'] == 'drain' ? 2 : 3) >=
    (variables.old['meditron.ai/kill-switch'] == 'hold' ? 1 : variables.old['meditron.ai/kill-switch'] == 'drain' ? 2 : 3)
  message: "a stronger kill switch is engaged already, and stays"
  reason: Forbidden
- expression: >-
    !('meditron.ai/killed-by' in variables.new) ||
    variables.new['meditron.ai/killed-by'] == variables.old[?'meditron.ai/killed-by'].orValue('') ||
    ((variables.stops || (variables.wasDrill && !variables.isDrill)) && variables.new['meditron.ai/killed-by'] == variables.me)
  message: "meditron.ai/killed-by is the name of who engages"
  reason: Forbidden
- expression: >-
    !(variables.wasEngaged && variables.isEngaged) ||
    ['meditron.ai/killed-by', 'meditron.ai/kill-reason', 'meditron.ai/kill-ticket'].all(key,
    !(key in variables.old) || key in variables.new)
  message: "who engaged, and why, stays as long as the kill switch"
  reason: Forbidden
# A drill's reason over a real stop, or waiting for one that gives none, would have that released as a drill.
- expression: >-
    !variables.isDrill || variables.old[?'meditron.ai/kill-reason'].orValue('') == 'drill' ||
    (variables.isEngaged && !variables.wasEngaged)
  message: "the reason drill is written together with the kill switch, and over no other stop"
  reason: Forbidden
- expression: >-
    !variables.releasing || ('meditron.ai/release-requested-by' in variables.old &&
    'meditron.ai/release-requested-at' in variables.old && !('meditron.ai/release-approved-by' in variables.old))
  message: "the kill switch is engaged: its release must first be requested (meditron.ai/release-requested-by)"
  reason: Forbidden
- expression: "!variables.releasing || variables.new[?'meditron.ai/release-approved-by'].orValue('') == variables.me"
  message: "whoever takes the kill switch off writes the own name to meditron.ai/release-approved-by in the same step"
  reason: Forbidden
- expression: "!variables.releasing || variables.old[?'meditron.ai/release-requested-by'].orValue('') != variables.me"
  message: "a release takes two people: somebody else must approve"
  reason: Forbidden
- expression: "!variables.releasing || (variables.aPerson && {{ . }}.check('approve-release').allowed())"
  message: "only a person with the verb approve-release may approve a release"
  reason: Forbidden
- expression: >-
    !variables.releasing || !('meditron.ai/release-requested-at' in variables.old) || (variables.writes.size() > 0 &&
    variables.writes.all(entry, timestamp(entry.time) <= variables.requestedAt + duration('15m')))
  message: "the release was requested more than 15 minutes ago: it must be requested again"
  reason: Forbidden
- expression: >-
    !variables.releasing || (!('meditron.ai/resume' in variables.new) &&
    ['meditron.ai/release-requested-by', 'meditron.ai/release-requested-at'].all(key,
    variables.new[?key].orValue('') == variables.old[?key].orValue('')) &&
    ['meditron.ai/killed-by', 'meditron.ai/kill-reason', 'meditron.ai/kill-ticket'].all(key, !(key in variables.new)))
  message: "a release takes kill-reason, kill-ticket and killed-by off with the kill switch, keeps who requested it, and does not resume"
  reason: Forbidden
- expression: >-
    !variables.setsRequest || (variables.wasEngaged && variables.isEngaged &&
    'meditron.ai/release-requested-at' in variables.new &&
    variables.new[?'meditron.ai/release-requested-by'].orValue('') == variables.me)
  message: "meditron.ai/release-requested-by is the own name of who asks for the release of an engaged kill switch, with release-requested-at"
  reason: Forbidden
- expression: "!variables.setsRequest || (variables.aPerson && {{ . }}.check('release').allowed())"
  message: "only a person with the verb release may request a release"
  reason: Forbidden
- expression: >-
    !variables.setsRequest || (!('meditron.ai/release-approved-by' in variables.new) &&
    !('meditron.ai/resume' in variables.new))
  message: "a new request begins without the release-approved-by and resume of an earlier release"
  reason: Forbidden
- expression: >-
    !variables.setsRequest || (variables.thisWrite.size() > 0 ? variables.thisWrite.all(entry,
    timestamp(entry.time) - variables.requestedAt <= duration('2m') &&
    variables.requestedAt - timestamp(entry.time) <= duration('2m')) : variables.writes.exists(entry,
    timestamp(entry.time) - variables.requestedAt <= duration('2m') &&
    variables.requestedAt - timestamp(entry.time) <= duration('2m')))
  message: "meditron.ai/release-requested-at must be the time of now, as 2026-01-31T12:00:00Z"
- expression: "!variables.setsApproval || variables.releasing"
  message: "meditron.ai/release-approved-by is written when the kill switch is taken off"
  reason: Forbidden
- expression: >-
    !('meditron.ai/release-approved-by' in variables.old) || 'meditron.ai/release-approved-by' in variables.new ||
    variables.isEngaged || 'meditron.ai/resume' in variables.old
  message: "released is not resumed: write your own name to meditron.ai/resume"
  reason: Forbidden
- expression: >-
    !variables.setsResume || (variables.wasReleased && !variables.isEngaged &&
    'meditron.ai/release-approved-by' in variables.new && variables.new['meditron.ai/resume'] == variables.me)
  message: "meditron.ai/resume is the own name of who resumes, after a release"
  reason: Forbidden
- expression: "!variables.setsResume || (variables.aPerson && {{ . }}.check('resume').allowed())"
  message: "only a person with the verb resume may resume"
  reason: Forbidden
- expression: >-
    !('meditron.ai/resume' in variables.old) || 'meditron.ai/resume' in variables.new || variables.setsRequest ||
    (!variables.isEngaged && !('meditron.ai/release-approved-by' in variables.new))
  message: "meditron.ai/resume goes together with release-approved-by"
  reason: Forbidden
- expression: >-
    variables.new.all(key, !key.startsWith('meditron.ai/') || key in variables.old || key in ['meditron.ai/kill-switch',
    'meditron.ai/kill-reason', 'meditron.ai/kill-ticket', 'meditron.ai/killed-by', 'meditron.ai/release-requested-by',
    'meditron.ai/release-requested-at', 'meditron.ai/release-approved-by', 'meditron.ai/resume'])
  message: "no such annotation of meditron.ai: kill-switch, kill-reason, kill-ticket, killed-by, release-requested-by, release-requested-at, release-approved-by, resume"
- expression: "request.operation != 'DELETE' || !variables.wasEngaged"
  message: "the kill switch is engaged: what carries it can't be deleted"
  reason: Forbidden
- expression: "request.operation != 'DELETE' || !variables.wasReleased || (variables.aPerson && {{ . }}.check('resume').allowed())"
  message: "released and not resumed: only a person with the verb resume may delete it"
  reason: Forbidden
{{- end }}

{{/* The labels of the pods of `params`. Of those in the second list the value is not known here: any may be theirs. */}}
{{- define "meditron.worn" -}}
- name: worn
  expression: >-
    {'meditron.ai/deployment': dyn(params.metadata.name), 'app.kubernetes.io/name': dyn('meditron'),
    'app.kubernetes.io/component': dyn('engine'), 'app.kubernetes.io/managed-by': dyn('meditron-operator')}
- name: maybe
  expression: >-
    ['app.kubernetes.io/instance', 'controller-revision-hash', 'statefulset.kubernetes.io/pod-name', 'apps.kubernetes.io/pod-index']
- name: wanted
  expression: >-
    variables.wants.all(key, key in variables.maybe || (key in variables.worn && variables.worn[key] == variables.wants[key]))
{{- end }}
