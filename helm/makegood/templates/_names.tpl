{{- define "makegood.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "makegood.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "makegood.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "makegood.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "makegood.selector" -}}
app.kubernetes.io/name: {{ include "makegood.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "makegood.labels" -}}
{{ include "makegood.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "makegood.serverSelector" -}}
{{ include "makegood.selector" . }}
app.kubernetes.io/component: server
{{- end }}

{{- define "makegood.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "makegood.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "makegood.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- /* Of a list of the context and the name of a login: where its URL is. */}}
{{- define "makegood.databaseUrl" -}}
{{- $context := index . 0 }}
{{- $login := index . 1 }}
{{- $secret := index $context.Values.database $login -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ $secret.existingSecret | default (printf "%s-database-%s" (include "makegood.fullname" $context) $login) }}
      key: {{ $secret.key }}
{{- end }}

{{- define "makegood.hasTokens" -}}
{{- with .Values.access.tokens }}{{ if or .keysUrl .keysFrom.secret .keysFrom.configMap }}yes{{ end }}{{ end }}
{{- end }}
