{{/* A URL in a Secret, or nothing. Takes (dict "variable" "CARDEA_SMTP_URL" "from" .Values.auth.smtp.url). */}}
{{- define "cardea.optionalUrl" -}}
{{- if .from.secretName -}}
{{ include "cardea.databaseUrl" . }}
{{- else -}}
- { name: {{ .variable }}, value: "" }
{{- end }}
{{- end }}

{{/* How people are served. Takes .Values.auth. */}}
{{- define "cardea.peopleEnv" -}}
{{- $on := not (empty .publicUrl) -}}
- { name: CARDEA_PUBLIC_URL, value: {{ .publicUrl | quote }} }
- { name: CARDEA_ORGANIZATION_HOSTS, value: {{ .organizationHosts | quote }} }
- { name: CARDEA_SELF_SERVICE, value: {{ $on | ternary .selfService "" | quote }} }
- { name: CARDEA_SELF_SERVICE_DOMAINS, value: {{ $on | ternary (join "," .selfServiceDomains) "" | quote }} }
{{ include "cardea.optionalUrl" (dict "variable" "CARDEA_SMTP_URL" "from" .smtp.url) }}
- { name: CARDEA_SMTP_CA_FILE, value: {{ and $on .smtp.ca.secretName | empty | ternary "" "/etc/cardea/smtp-ca/ca.crt" | quote }} }
- { name: CARDEA_MAIL_FROM, value: {{ $on | ternary .smtp.from "" | quote }} }
{{ include "cardea.optionalUrl" (dict "variable" "CARDEA_REDIS_URL" "from" .redis.url) }}
{{- with .passwords }}
- { name: CARDEA_ARGON2_MEMORY, value: {{ $on | ternary (int .memory) "" | quote }} }
- { name: CARDEA_ARGON2_ITERATIONS, value: {{ $on | ternary (int .iterations) "" | quote }} }
- { name: CARDEA_PASSWORD_QUEUE, value: {{ $on | ternary (int .queue) "" | quote }} }
- { name: CARDEA_PASSWORD_WORKERS, value: {{ $on | ternary (int .workers) "" | quote }} }
- { name: CARDEA_BREACHED_PASSWORDS_URL, value: {{ $on | ternary .breachedUrl "" | quote }} }
{{- end }}
{{- end }}
