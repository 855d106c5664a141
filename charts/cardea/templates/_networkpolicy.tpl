{{/* One egress rule. Takes (dict "to" … "ports" … "protocols" (list "TCP")); no `to` means anywhere. */}}
{{- define "cardea.egress" -}}
{{- $protocols := default (list "TCP") .protocols -}}
- ports:
  {{- range $port := .ports }}
  {{- range $protocols }}
    - { port: {{ $port }}, protocol: {{ . }} }
  {{- end }}
  {{- end }}
  {{- with .to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* What all three need: names, and PostgreSQL. Takes .Values.networkPolicy. */}}
{{- define "cardea.egressToDatabase" -}}
{{ include "cardea.egress" (dict "to" .dns.to "ports" .dns.ports "protocols" (list "UDP" "TCP")) }}
{{ include "cardea.egress" .postgresql }}
{{- end }}

{{/* One ingress rule. Takes (dict "from" … "port" "http"); no `from` means anybody. */}}
{{- define "cardea.ingress" -}}
- ports: [{ port: {{ .port }}, protocol: TCP }]
  {{- with .from }}
  from: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
