import { oneOf, word } from './setting.ts'

/** The variables that choose the key management service. */
export const kmsSettings = {
  CARDEA_KMS: oneOf(['local']),
  CARDEA_KMS_LOCAL_KEY_FILE: word(4096),
}
