{{- /* What the schema cannot say: values that do not go together. */}}
{{- define "makegood.checks" -}}
{{- $database := .Values.database }}
{{- $needed := list "app" }}
{{- if .Values.migration.enabled }}{{ $needed = append $needed "owner" }}{{ end }}
{{- if .Values.audit.enabled }}{{ $needed = append $needed "auditor" }}{{ end }}
{{- $seen := dict }}
{{- range $login := $needed }}
{{- $secret := index $database $login }}
{{- if and $secret.existingSecret $secret.url }}
{{- fail (printf "database.%s: name an existingSecret or a url, not both" $login) }}
{{- end }}
{{- if not (or $secret.existingSecret $secret.url) }}
{{- fail (printf "database.%s: name an existingSecret or a url: replicas share one PostgreSQL, and the chart brings none" $login) }}
{{- end }}
{{- $place := printf "%s/%s/%s" $secret.existingSecret $secret.key $secret.url }}
{{- if hasKey $seen $place }}
{{- fail (printf "database.%s is the login of database.%s: each must have its own, with its own rights" $login (get $seen $place)) }}
{{- end }}
{{- $_ := set $seen $place $login }}
{{- end }}
{{- $tokens := .Values.access.tokens }}
{{- $places := compact (list $tokens.keysUrl $tokens.keysFrom.secret $tokens.keysFrom.configMap) }}
{{- if gt (len $places) 1 }}
{{- fail "access.tokens: the keys are in one place: keysUrl, keysFrom.secret or keysFrom.configMap" }}
{{- end }}
{{- $told := compact (list (first $places) $tokens.issuer $tokens.audience) }}
{{- if and $told (lt (len $told) 3) }}
{{- fail "access.tokens: the keys, issuer and audience go together" }}
{{- end }}
{{- if and $tokens.keysCa.existingSecret (not $tokens.keysUrl) }}
{{- fail "access.tokens.keysCa is about keysUrl" }}
{{- end }}
{{- if not (or $told .Values.access.clients) }}
{{- fail "nobody could call: set access.tokens, or access.clients with tls.clientCa" }}
{{- end }}
{{- if and .Values.tls.existingSecret .Values.plaintext }}
{{- fail "plaintext contradicts tls.existingSecret" }}
{{- end }}
{{- if not (or .Values.tls.existingSecret .Values.plaintext) }}
{{- fail "connections need tls.existingSecret, or plaintext: true where a mesh protects them" }}
{{- end }}
{{- if and .Values.tls.clientCa.existingSecret (not .Values.tls.existingSecret) }}
{{- fail "tls.clientCa needs tls.existingSecret" }}
{{- end }}
{{- if ne (empty .Values.access.clients) (empty .Values.tls.clientCa.existingSecret) }}
{{- fail "access.clients and tls.clientCa go together" }}
{{- end }}
{{- $ports := .Values.ports }}
{{- if lt (len (uniq (list $ports.grpc $ports.health $ports.metrics))) 3 }}
{{- fail "ports: grpc, health and metrics must differ" }}
{{- end }}
{{- if and (or .Values.metrics.serviceMonitor.enabled .Values.metrics.rules.enabled .Values.metrics.dashboard.enabled) (not .Values.metrics.enabled) }}
{{- fail "metrics.serviceMonitor, metrics.rules and metrics.dashboard need metrics.enabled" }}
{{- end }}
{{- $scaling := .Values.autoscaling }}
{{- if and $scaling.enabled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) }}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" }}
{{- end }}
{{- $budget := .Values.podDisruptionBudget }}
{{- if and $budget.enabled (not (kindIs "invalid" $budget.minAvailable)) }}
{{- if not (kindIs "invalid" $budget.maxUnavailable) }}
{{- fail "podDisruptionBudget: minAvailable or maxUnavailable, not both" }}
{{- end }}
{{- $least := ternary $scaling.minReplicas .Values.replicas $scaling.enabled }}
{{- if and (not (kindIs "string" $budget.minAvailable)) (ge (int $budget.minAvailable) (int $least)) }}
{{- fail "podDisruptionBudget.minAvailable must be less than the replicas, or no node can be drained" }}
{{- end }}
{{- end }}
{{- end }}
