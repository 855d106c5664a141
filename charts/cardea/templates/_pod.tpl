{{- define "cardea.podMetadata" -}}
{{- $values := get .root.Values .component -}}
labels: {{- toYaml (merge (include "cardea.selectorLabels" . | fromYaml) (deepCopy $values.podLabels) (deepCopy .root.Values.commonLabels)) | nindent 2 }}
{{- with merge (deepCopy $values.podAnnotations) (deepCopy .root.Values.commonAnnotations) }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What every pod of ours has: its account, the restricted security context, and where it may run. */}}
{{- define "cardea.podSpec" -}}
{{- $values := get .root.Values .component -}}
serviceAccountName: {{ include "cardea.serviceAccountName" . }}
automountServiceAccountToken: {{ eq .component "operator" }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
Replicas apart from each other: a zone or a node that is lost takes one, not all. A constraint without a labelSelector is
about the component's own pods.
*/}}
{{- define "cardea.topologySpread" -}}
{{- $own := dict "labelSelector" (dict "matchLabels" (include "cardea.selectorLabels" . | fromYaml)) "matchLabelKeys" (list "pod-template-hash") }}
{{- $default := list }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
{{- $default = append $default (dict "topologyKey" . "maxSkew" 1 "whenUnsatisfiable" "ScheduleAnyway") }}
{{- end }}
topologySpreadConstraints:
{{- range default $default (get .root.Values .component).topologySpreadConstraints }}
  - {{ hasKey . "labelSelector" | ternary . (merge (deepCopy .) $own) | toYaml | indent 4 | trim }}
{{- end }}
{{- end }}

{{- define "cardea.container" -}}
{{- $image := .root.Values.image -}}
name: {{ .component }}
{{- if $image.digest }}
image: {{ printf "%s@%s" $image.repository $image.digest }}
{{- else }}
image: {{ printf "%s:%s" $image.repository (default .root.Chart.AppVersion $image.tag) }}
{{- end }}
imagePullPolicy: {{ $image.pullPolicy }}
{{- $youngGeneration := get (dict "operator" "--max-semi-space-size=8, " "auth" "--max-semi-space-size=4, ") .component }}
args: [{{ $youngGeneration }}dist/main/{{ .component }}.js]
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
resources: {{- toYaml (get .root.Values .component).resources | nindent 2 }}
{{- end }}

{{/* Neither probe asks for the database: a restart does not bring it back. */}}
{{- define "cardea.probes" -}}
livenessProbe:
  httpGet: { path: /healthz, port: metrics }
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
readinessProbe:
  httpGet: { path: /readyz, port: metrics }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}
