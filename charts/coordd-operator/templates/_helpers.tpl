{{/* The operator's objects bear this name, whatever the release is called: the Lease does, and there is one of it. */}}
{{- define "operator.name" -}}
coordd-operator
{{- end -}}

{{- define "operator.account" -}}
{{- .Values.serviceAccount.name | default (include "operator.name" .) -}}
{{- end -}}

{{- define "operator.version" -}}
{{- .Values.image.tag | default .Chart.AppVersion -}}
{{- end -}}

{{/* app.kubernetes.io/name is what the members' NetworkPolicies let in; it must not change. */}}
{{- define "operator.selector" -}}
app.kubernetes.io/name: coordd-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/part-of: coordd
app.kubernetes.io/component: operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ include "operator.version" . | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "operator.account" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* Each verb is one that the operator needs; Secrets are read by name, never listed. */}}
{{- define "operator.rules" -}}
- apiGroups: [coordd.dev]
  resources: [coordinationclusters]
  verbs: [get, list, watch]
- apiGroups: [coordd.dev]
  resources: [coordinationclusters/status]
  verbs: [patch]
- apiGroups: [coordd.dev]
  resources: [coordinationclusters/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [services, configmaps]
  verbs: [get, list, watch, create, patch]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if .Values.projections.enabled }}
- apiGroups: [coordd.dev]
  resources: [serviceprojections]
  verbs: [get, list, watch]
- apiGroups: [coordd.dev]
  resources: [serviceprojections/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [services]
  verbs: [delete]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, patch]
{{- end }}
{{- end -}}
