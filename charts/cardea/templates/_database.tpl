{{/* Takes (dict "variable" "CARDEA_DATABASE_URL" "from" .Values.database.auth). */}}
{{- define "cardea.databaseUrl" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef: { name: {{ .from.secretName }}, key: {{ .from.key }} }
{{- end }}

{{/* A Secret's one key as a file. Takes (dict "name" "kms" "from" .Values.kms.local "file" "key"). */}}
{{- define "cardea.fileVolume" -}}
- name: {{ .name }}
  secret:
    secretName: {{ .from.secretName }}
    defaultMode: 0440
    items: [{ key: {{ .from.key }}, path: {{ .file }} }]
{{- end }}

{{/* Takes the name of the volume. */}}
{{- define "cardea.fileMount" -}}
- { name: {{ . }}, mountPath: /etc/cardea/{{ . }}, readOnly: true }
{{- end }}
