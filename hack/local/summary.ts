import { place, shown } from './place.ts'
import type { RunningSystem } from './system.ts'

/** What a person wants to know of a system that runs: its addresses, and what to try. */
export function summarise(system: RunningSystem): string {
  const [firstUrl, ...otherUrls] = system.authUrls
  const [firstAuth, ...otherAuths] = system.auths
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['checked', system.checked],
    ['', ''],
    ['auth service', firstUrl],
    ...otherUrls.map((url) => ['', url] as const),
    ['people sign in', `${firstUrl}/login`],
    ['captured mail', system.mailUrl],
    ['its metrics', firstAuth?.metrics],
    ...otherAuths.map(({ metrics }) => ['', metrics] as const),
    ['operator metrics', system.operator.metrics],
    ['Kubernetes', system.server],
    ['PostgreSQL', `127.0.0.1:${system.postgresPort} (DATABASE_URL)`],
    ['key management', system.kms.about],
    ['logs', `${shown(place.logs)}/`],
  ]
  const table = rows.map(([name, value]) => `  ${name.padEnd(18)}${value ?? ''}`.trimEnd())
  return `${table.join('\n')}

  To try:
    source ${shown(place.env)}
    kubectl get cardea -A
    kubectl explain apikey.spec
    key=$(cardea unwrap -n acme ci-key)
    curl -i -H "X-API-Key: $key" "$CARDEA_URL/check?scope=scans:read"      # 200
    curl -i -H "X-API-Key: $key" "$CARDEA_URL/check?scope=scans:delete"    # 403, the key has no such scope
    kubectl delete apikey ci -n acme                                       # from then on 401

  To sign in:
    ${system.mailUrl} has the invitation of owner@acme.example, the owner of the organization acme.
    Accept it there, choose a password, and sign in at ${firstUrl}/login.
    ${firstUrl}/register registers an organization of your own.
`
}
