import type { Values } from './helm.ts'

/** The installations that the chart is held to, by what makes each special. */
export const installations: Readonly<Record<string, Values>> = {
  'the defaults': {},
  'two namespaces only': {
    watchNamespaces: ['acme', 'globex'],
    'rbac.aggregate': false,
    'rbac.limitSecretWrites': false,
  },
  'an ordinary Job that creates the roles': {
    'migrate.hook': false,
    'database.admin.secretName': 'postgres-superuser',
    'database.ca.secretName': 'postgres-ca',
  },
  'everything on': {
    'auth.autoscaling.enabled': true,
    'auth.ingress': {
      enabled: true,
      className: 'nginx',
      hosts: ['id.acme.example'],
      tls: [{ hosts: ['id.acme.example'], secretName: 'tls' }],
    },
    'auth.trustedProxies': ['10.0.0.0/8', '2001:db8::/32'],
    'operator.allowPlainSecrets': true,
    'operator.adoptOrganizations': ['acme/acme'],
    'monitoring.serviceMonitor.enabled': true,
    'monitoring.prometheusRule.enabled': true,
    'monitoring.grafanaDashboard.enabled': true,
    'database.auth.changesKey': 'direct',
    'database.operator.changesKey': 'direct',
    'networkPolicy.kms': { to: [{ ipBlock: { cidr: '10.1.0.0/16' } }], ports: [443] },
    imagePullSecrets: [{ name: 'registry' }],
    'image.digest': `sha256:${'0'.repeat(64)}`,
    commonLabels: { team: 'identity' },
    commonAnnotations: { contact: 'identity@acme.example' },
    'auth.podAnnotations': { 'reload/on-change': 'true' },
    'auth.priorityClassName': 'system-cluster-critical',
    'operator.extraEnv': [{ name: 'HTTPS_PROXY', value: 'http://proxy:3128' }],
    'operator.tolerations': [{ operator: 'Exists' }],
    'operator.nodeSelector': { disk: 'ssd' },
    'operator.topologySpreadConstraints': [
      { topologyKey: 'rack', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' },
    ],
  },
  'as little as possible': {
    'operator.replicas': 1,
    'auth.replicas': 1,
    'migrate.enabled': false,
    'networkPolicy.enabled': false,
    'operator.podDisruptionBudget.enabled': false,
    'auth.podDisruptionBudget.enabled': false,
    'rbac.create': false,
    'rbac.aggregate': false,
    'rbac.limitSecretWrites': false,
    'operator.serviceAccount': { create: false, name: 'existing' },
    listenHost: '[::]',
  },
}
