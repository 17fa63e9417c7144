/**
 * Reading PKCS #12 takes some tenths of a second of hashing, ten thousands of times on purpose. It is done aside: a server
 * that renews its certificates goes on to serve, and to answer its peers' heartbeats.
 */
import { Worker } from "node:worker_threads"
import { type KeyStore, KeyStoreError } from "./store.ts"

export interface Question {
  readonly bytes: Uint8Array
  readonly password: string
}

export type Answer = { readonly store: KeyStore } | { readonly message: string; readonly isPassword: boolean }

/** Rejects with KeyStoreError. */
export const readPkcs12Aside = (question: Question): Promise<KeyStore> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./pkcs12Worker.ts", import.meta.url), { workerData: question })
    worker.once("message", (answer: Answer) => {
      if ("store" in answer) resolve(answer.store)
      else reject(new KeyStoreError(answer.message, answer.isPassword))
    })
    worker.once("error", reject)
    // Without effect after an answer.
    worker.once("exit", (code) => reject(new Error(`the thread that reads a key store ended with code ${code}`)))
  })
