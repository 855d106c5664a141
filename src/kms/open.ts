import { readFileSync } from 'node:fs'
import { awsKeyManagement } from './aws.ts'
import { azureKeyManagement } from './azure.ts'
import { gcpKeyManagement } from './gcp.ts'
import { type KeyManagement, KeyManagementError } from './keymanagement.ts'
import { localKeyManagement } from './local.ts'
import type { KeyManagementSettings, KeyReference } from './reference.ts'
import { vaultKeyManagement } from './vault.ts'
import { withWholeKeys } from './wholekey.ts'

/** Opens a KEK. Nothing is asked of its provider yet. @throws KeyManagementError when the settings for it are missing */
export function openKey(reference: KeyReference, settings: KeyManagementSettings): KeyManagement {
  return withWholeKeys(openProvider(reference, settings))
}

function openProvider(reference: KeyReference, settings: KeyManagementSettings): KeyManagement {
  switch (reference.provider) {
    case 'local': {
      const { keyFile } = settings.local ?? {}
      if (keyFile === undefined) throw unset('local', 'CARDEA_KMS_LOCAL_KEY_FILE')
      return localKeyManagement(() => readFile(keyFile))
    }
    case 'aws':
      return awsKeyManagement(reference, settings.aws ?? {})
    case 'gcp':
      return gcpKeyManagement(reference, settings.gcp ?? {})
    case 'azure':
      return azureKeyManagement(reference)
    case 'vault':
      if (!settings.vault) throw unset('vault', 'CARDEA_KMS_VAULT_ADDRESS')
      return vaultKeyManagement(reference, settings.vault)
    default:
      return reference satisfies never
  }
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new KeyManagementError('not_found', `the key file ${path} cannot be read`, {
      cause: error,
    })
  }
}

function unset(provider: string, variable: string): KeyManagementError {
  const message = `keys of ${provider} are not set up in this installation: its administrator sets ${variable}`
  return new KeyManagementError('not_found', message)
}
