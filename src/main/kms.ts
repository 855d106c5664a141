import { readFileSync } from 'node:fs'
import { ConfigurationError } from '../config/environment.ts'
import type { KeyManagement } from '../kms/keymanagement.ts'
import { localKeyManagement } from '../kms/local.ts'

/** Opens the key management service that the settings choose. @throws ConfigurationError naming the variable */
export function openKeyManagement(settings: {
  readonly provider: 'local'
  readonly localKeyFile: string
}): KeyManagement {
  try {
    return localKeyManagement(readFileSync(settings.localKeyFile, 'utf8'))
  } catch (error) {
    const problem = `must name a readable key file: ${(error as Error).message}`
    throw new ConfigurationError([{ variable: 'CARDEA_KMS_LOCAL_KEY_FILE', problem }])
  }
}
