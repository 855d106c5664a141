import type { ProviderCredential } from '../../api/v1alpha1/providercredential.ts'
import { maxValueLength, type ValueProblem, valueProblem } from '../../domain/providercredential.ts'
import type { SecretObject } from '../../k8s/secret.ts'

/** The value that a Secret has for a credential, or why there is none that can be kept. */
export type Source =
  | { readonly value: Buffer; readonly problem?: undefined }
  | {
      readonly problem: {
        readonly reason: 'SecretNotFound' | 'SecretKeyNotFound' | 'InvalidValue'
        readonly message: string
      }
    }

const whatIsWrong: Readonly<Record<ValueProblem, string>> = {
  empty: 'is empty: put the value there',
  too_long: `is longer than ${maxValueLength} bytes: put a shorter one there`,
  not_text: 'is not UTF-8 text without NUL: put text there, encoded in base64 where it is binary',
}

/** Takes the value out of the Secret that the spec names. */
export function readSource(
  { metadata, spec }: ProviderCredential,
  secret: SecretObject | undefined,
): Source {
  const { name, key } = spec.valueFrom.secretRef
  if (!secret) {
    const message = `Secret "${name}" is not in namespace "${metadata.namespace}": create it, or correct spec.valueFrom.secretRef.name.`
    return { problem: { reason: 'SecretNotFound', message } }
  }
  const encoded = secret.data?.[key]
  if (encoded === undefined) {
    const message = `Secret "${name}" has no entry "${key}": add it, or correct spec.valueFrom.secretRef.key.`
    return { problem: { reason: 'SecretKeyNotFound', message } }
  }
  const value = Buffer.from(encoded, 'base64')
  const wrong = valueProblem(value)
  if (wrong === undefined) return { value }
  value.fill(0)
  const message = `The entry "${key}" of Secret "${name}" ${whatIsWrong[wrong]}.`
  return { problem: { reason: 'InvalidValue', message } }
}
