{{/* Takes (dict "variable" "CARDEA_DATABASE_URL" "from" .Values.database.auth). */}}
{{- define "cardea.databaseUrl" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef: { name: {{ .from.secretName }}, key: {{ .from.key }} }
{{- end }}

{{/* What a program that logs in and follows the change feed is told. Takes .Values.database.auth. */}}
{{- define "cardea.databaseUrls" -}}
{{ include "cardea.databaseUrl" (dict "variable" "CARDEA_DATABASE_URL" "from" .) }}
{{- if .changesKey }}
{{ include "cardea.databaseUrl" (dict "variable" "CARDEA_CHANGES_DATABASE_URL" "from" (dict "secretName" .secretName "key" .changesKey)) }}
{{- end }}
{{- end }}

{{/* A Secret's one key as a file. Takes (dict "name" "kms" "from" .Values.kms.local "file" "key"). */}}
{{- define "cardea.fileVolume" -}}
- name: {{ .name }}
  secret:
    secretName: {{ .from.secretName }}
    # 0440 in decimal: YAML 1.1 and 1.2 disagree about the other spelling.
    defaultMode: 288
    items: [{ key: {{ .from.key }}, path: {{ .file }} }]
{{- end }}

{{/* Takes the name of the volume. */}}
{{- define "cardea.fileMount" -}}
- { name: {{ . }}, mountPath: /etc/cardea/{{ . }}, readOnly: true }
{{- end }}
