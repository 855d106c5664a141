{{/* Every template here takes (dict "root" $ "component" "operator"), but for these two, which take the root. */}}
{{- define "cardea.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* 40 characters leave room for "-migrate-" with its hash, and for what a Job adds to its pods. */}}
{{- define "cardea.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "cardea.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "cardea.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "cardea.componentName" -}}
{{ include "cardea.fullname" .root }}-{{ .component }}
{{- end }}

{{- define "cardea.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cardea.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "cardea.labels" -}}
{{- $own := include "cardea.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "cardea" -}}
{{- toYaml (merge $own (deepCopy (default dict .labels)) (deepCopy .root.Values.commonLabels)) -}}
{{- end }}

{{/*
The metadata of an object in the release's namespace. Optional: name (default <fullname>-<component>), labels,
annotations.
*/}}
{{- define "cardea.metadata" -}}
name: {{ default (include "cardea.componentName" .) .name }}
namespace: {{ .root.Release.Namespace }}
{{ include "cardea.commonMetadata" . }}
{{- end }}

{{/* Labels and annotations alone, for objects of the cluster and of other namespaces. */}}
{{- define "cardea.commonMetadata" -}}
labels: {{- include "cardea.labels" . | nindent 2 }}
{{- with merge (deepCopy (default dict .annotations)) (deepCopy .root.Values.commonAnnotations) }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "cardea.serviceAccountName" -}}
{{- $account := (get .root.Values .component).serviceAccount -}}
{{- if $account.create -}}
{{- default (include "cardea.componentName" .) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end }}

{{/* The kinds' plural names: the RBAC rules are lists, never a wildcard. */}}
{{- define "cardea.kinds" -}}
apikeys encryptionkeys organizations projects providercredentials rbacbindings rbacroles
{{- end }}
