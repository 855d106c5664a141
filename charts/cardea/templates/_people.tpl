{{/* A URL in a Secret, or nothing. Takes (dict "variable" "CARDEA_SMTP_URL" "from" .Values.auth.smtp.url). */}}
{{- define "cardea.optionalUrl" -}}
{{- if .from.secretName -}}
{{ include "cardea.databaseUrl" . }}
{{- else -}}
- { name: {{ .variable }}, value: "" }
{{- end }}
{{- end }}

{{/* Stops where settings of people would be dropped without a word. Takes .Values.auth. */}}
{{- define "cardea.peopleGuard" -}}
{{- if not .publicUrl -}}
{{- $set := dict "auth.selfService" .selfService "auth.selfServiceDomains" .selfServiceDomains "auth.organizationHosts" .organizationHosts "auth.smtp.from" .smtp.from "auth.smtp.url.secretName" .smtp.url.secretName "auth.redis.url.secretName" .redis.url.secretName -}}
{{- range $name, $value := $set -}}
{{- if $value -}}
{{- fail (printf "%s is set and auth.publicUrl is not: nobody signs in without it. Set auth.publicUrl to where people reach Cardea, such as https://id.example.com" $name) -}}
{{- end -}}
{{- end -}}
{{- else if and .smtp.url.secretName (not .smtp.from) -}}
{{- fail "auth.smtp.url.secretName is set and auth.smtp.from is not: set it to the address that mails are from, such as no-reply@example.com" -}}
{{- end -}}
{{- end }}

{{/* How people are served. Takes .Values.auth. */}}
{{- define "cardea.peopleEnv" -}}
{{- include "cardea.peopleGuard" . -}}
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
