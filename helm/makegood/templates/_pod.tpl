{{- /* What is the same for every pod of the chart. */}}
{{- define "makegood.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- with .Values.securityContext.runAsUser }}
  runAsUser: {{ int64 . }}
  {{- end }}
  {{- with .Values.securityContext.runAsGroup }}
  runAsGroup: {{ int64 . }}
  {{- end }}
  {{- with .Values.securityContext.fsGroup }}
  fsGroup: {{ int64 . }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* What is the same for every container of the chart. */}}
{{- define "makegood.container" -}}
image: {{ include "makegood.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{- /* Of a list of a volume's name, a Secret's name, and its keys: the volume. */}}
{{- define "makegood.secretVolume" -}}
- name: {{ index . 0 }}
  secret:
    secretName: {{ index . 1 }}
    defaultMode: 0440
    items:
      {{- range $file, $key := index . 2 }}
      - key: {{ $key }}
        path: {{ $file }}
      {{- end }}
{{- end }}

{{- define "makegood.databaseVolumes" -}}
{{- with .Values.database.ca }}
{{- if .existingSecret }}
{{ include "makegood.secretVolume" (list "database-ca" .existingSecret (dict "ca.crt" .key)) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "makegood.databaseMounts" -}}
{{- if .Values.database.ca.existingSecret }}
- name: database-ca
  mountPath: /etc/makegood/database
  readOnly: true
{{- end }}
{{- end }}
