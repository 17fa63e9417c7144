/** The thread that reads one PKCS #12 store and ends. */
import { parentPort, workerData } from "node:worker_threads"
import { readPkcs12 } from "./pkcs12.ts"
import { KeyStoreError } from "./store.ts"
import type { Answer, Question } from "./thread.ts"

const { bytes, password } = workerData as Question

const answer = (): Answer => {
  try {
    return { store: readPkcs12(bytes, password) }
  } catch (error) {
    if (error instanceof KeyStoreError) return { message: error.message, isPassword: error.isPassword }
    throw error
  }
}

parentPort?.postMessage(answer())
