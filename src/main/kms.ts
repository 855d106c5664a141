import { readFileSync } from 'node:fs'
import type { Registry } from 'prom-client'
import { ConfigurationError } from '../config/environment.ts'
import type { KmsConfig } from '../config/kms.ts'
import { Keyring } from '../kms/keyring.ts'
import { readKeyFile } from '../kms/local.ts'
import { openKey } from '../kms/open.ts'
import { type Patience, patient } from '../kms/patient.ts'
import { parseReference } from '../kms/reference.ts'
import { kmsMetrics } from './kmsmetrics.ts'

/**
 * The keys that the settings choose and allow.
 * @param registry where operations are counted; nowhere when left out
 * @throws ConfigurationError naming the variable
 */
export function openKeyring(
  config: KmsConfig,
  registry?: Registry,
  patience: Partial<Patience> = {},
): Keyring {
  const defaultKey = parseReference(config.defaultKey)
  if (!defaultKey) {
    throw new ConfigurationError([{ variable: 'CARDEA_KMS', problem: 'names no key' }])
  }
  const { localKeyFile } = config
  if (localKeyFile !== undefined) expectKeyFile(localKeyFile)
  const settings = {
    local: localKeyFile === undefined ? undefined : { keyFile: localKeyFile },
    aws: { endpoint: config.awsEndpoint },
    gcp: { endpoint: config.gcpEndpoint },
    vault: config.vault,
  }
  const measured = registry ? kmsMetrics(registry) : undefined
  return new Keyring({
    open: (reference) => {
      const key = openKey(reference, settings)
      return patient(measured ? measured(key) : key, patience)
    },
    defaultKey,
    allowed: config.allowedKeys,
  })
}

function expectKeyFile(path: string): void {
  try {
    readKeyFile(readFileSync(path, 'utf8'))
  } catch (error) {
    const problem = `must name a readable key file: ${(error as Error).message}`
    throw new ConfigurationError([{ variable: 'CARDEA_KMS_LOCAL_KEY_FILE', problem }])
  }
}
