{{/* Labels of every object. */}}
{{- define "emotions.labels" -}}
app.kubernetes.io/name: emotions
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{/* Labels that select the pods that serve. */}}
{{- define "emotions.selector" -}}
app.kubernetes.io/name: emotions
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: service
{{- end }}

{{/* Labels of the claim and of the Jobs that build plans. */}}
{{- define "emotions.plans" -}}
{{ include "emotions.labels" . }}
app.kubernetes.io/component: plans
{{- end }}

{{/* Seconds from the start of a stop to its end: the pause, the longest request, and its answer. */}}
{{- define "emotions.grace" -}}
{{- $deadline := .Values.settings.EMOTIONS_DEADLINE_S | default 30 | toString | float64 | ceil | int }}
{{- add (.Values.drainSeconds | toString | int) $deadline 10 }}
{{- end }}

{{/* The part of a pod's specification that pods of the Deployment and of the Jobs share. */}}
{{- define "emotions.pod" -}}
automountServiceAccountToken: false
# Kubernetes would set EMOTIONS_PORT for a Service named emotions.
enableServiceLinks: false
# The first process of the pod forwards signals and reaps processes, as `docker run --init` does.
shareProcessNamespace: true
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: plans
    {{- if or .Values.plans.claim .Values.plans.size }}
    persistentVolumeClaim:
      claimName: {{ .Values.plans.claim | default (printf "%s-plans" .Release.Name) }}
    {{- else }}
    emptyDir: {}
    {{- end }}
  - name: tmp
    emptyDir: {}
  {{- with .Values.models }}
  - name: models
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.keysSecret }}
  - name: keys
    secret:
      secretName: {{ . }}
      defaultMode: 0440
  {{- end }}
{{- end }}

{{/* The part of a container's specification that both share. */}}
{{- define "emotions.container" -}}
image: {{ .Values.image | quote }}
{{- if or .Values.settings .Values.keysSecret }}
env:
  {{- range $name, $value := .Values.settings }}
  - name: {{ $name }}
    value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
  {{- end }}
  {{- if .Values.keysSecret }}
  - name: EMOTIONS_API_KEYS_FILE
    value: /etc/emotions/keys
  {{- end }}
{{- end }}
resources:
  requests:
    {{- toYaml .Values.resources.requests | nindent 4 }}
  limits:
    {{- toYaml .Values.resources.limits | nindent 4 }}
    {{- with .Values.gpu }}
    {{ . }}: 1
    {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: plans
    mountPath: /plans
  - name: tmp
    mountPath: /tmp
  {{- if .Values.models }}
  - name: models
    mountPath: /models
    readOnly: true
  {{- end }}
  {{- if .Values.keysSecret }}
  - name: keys
    mountPath: /etc/emotions
    readOnly: true
  {{- end }}
{{- end }}
