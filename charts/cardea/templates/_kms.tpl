{{/* Whether the key file is needed: "true" or nothing. Takes .Values.kms. */}}
{{- define "cardea.kmsLocal" -}}
{{- $named := eq .key "local" -}}
{{- range .allowedKeys }}{{ $named = or $named (hasSuffix "=local" .) }}{{ end -}}
{{- if and .local.secretName $named -}}true{{- end -}}
{{- end }}

{{/* How the key managers are chosen and reached: the same for whoever unwraps. Takes .Values.kms. */}}
{{- define "cardea.kmsEnv" -}}
{{- $files := "/etc/cardea" -}}
- { name: CARDEA_KMS, value: {{ .key | quote }} }
- { name: CARDEA_KMS_KEYS, value: {{ join "," .allowedKeys | quote }} }
- { name: CARDEA_KMS_LOCAL_KEY_FILE, value: {{ include "cardea.kmsLocal" . | empty | ternary "" (printf "%s/kms/key" $files) | quote }} }
- { name: CARDEA_KMS_AWS_ENDPOINT, value: {{ .aws.endpoint | quote }} }
- { name: CARDEA_KMS_GCP_ENDPOINT, value: {{ .gcp.endpoint | quote }} }
{{- with .vault }}
- { name: CARDEA_KMS_VAULT_ADDRESS, value: {{ .address | quote }} }
- { name: CARDEA_KMS_VAULT_CA_FILE, value: {{ empty .ca.secretName | ternary "" (printf "%s/vault-ca/ca.crt" $files) | quote }} }
- { name: CARDEA_KMS_VAULT_LOGIN, value: {{ .login | quote }} }
- { name: CARDEA_KMS_VAULT_LOGIN_MOUNT, value: {{ .loginMount | quote }} }
- { name: CARDEA_KMS_VAULT_ROLE, value: {{ .role | quote }} }
- { name: CARDEA_KMS_VAULT_ROLE_ID, value: {{ .roleId | quote }} }
- { name: CARDEA_KMS_VAULT_SECRET_ID_FILE, value: {{ empty .secretId.secretName | ternary "" (printf "%s/vault-secret-id/secret-id" $files) | quote }} }
- { name: CARDEA_KMS_VAULT_TOKEN_FILE, value: {{ include "cardea.vaultTokenFile" . | quote }} }
{{- end }}
{{- end }}

{{/* A token that was given, or for the Kubernetes login one for the audience of Vault, which is good for nothing else. Takes .Values.kms.vault. */}}
{{- define "cardea.vaultTokenFile" -}}
{{- if or .token.secretName (and .address (eq .login "kubernetes")) -}}
/etc/cardea/vault-token/token
{{- end -}}
{{- end }}

{{/* Takes .Values.kms. */}}
{{- define "cardea.kmsMounts" -}}
{{- range $name, $mounted := include "cardea.kmsFiles" . | fromYaml }}
{{- if $mounted }}
{{ include "cardea.fileMount" $name }}
{{- end }}
{{- end }}
{{- end }}

{{/* Which volumes there are. */}}
{{- define "cardea.kmsFiles" -}}
kms: {{ not (empty (include "cardea.kmsLocal" .)) }}
vault-ca: {{ not (empty .vault.ca.secretName) }}
vault-secret-id: {{ not (empty .vault.secretId.secretName) }}
vault-token: {{ not (empty (include "cardea.vaultTokenFile" .vault)) }}
{{- end }}

{{/* Takes .Values.kms. */}}
{{- define "cardea.kmsVolumes" -}}
{{- if include "cardea.kmsLocal" . }}
{{ include "cardea.fileVolume" (dict "name" "kms" "from" .local "file" "key") }}
{{- end }}
{{- with .vault }}
{{- if .ca.secretName }}
{{ include "cardea.fileVolume" (dict "name" "vault-ca" "from" .ca "file" "ca.crt") }}
{{- end }}
{{- if .secretId.secretName }}
{{ include "cardea.fileVolume" (dict "name" "vault-secret-id" "from" .secretId "file" "secret-id") }}
{{- end }}
{{- if .token.secretName }}
{{ include "cardea.fileVolume" (dict "name" "vault-token" "from" .token "file" "token") }}
{{- else if include "cardea.vaultTokenFile" . }}
- name: vault-token
  projected:
    defaultMode: 288
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
          audience: {{ .audience | quote }}
{{- end }}
{{- end }}
{{- end }}
