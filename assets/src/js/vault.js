// What has not reached the server yet, sealed with a key that only the server hands out.

const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Where the unsaved changes of one evaluation wait on this computer. */
export class Vault {
  /** @param {string} user @param {string} evaluation @param {string} key base64 of 32 bytes, '' for none */
  constructor(user, evaluation, key) {
    this.name = `candor:draft:${user}:${evaluation}`;
    this.key = key ? crypto.subtle.importKey('raw', decode(key), 'AES-GCM', false, ['encrypt', 'decrypt']) : null;
    this.writing = Promise.resolve();
  }

  /** @param {object | null} value what to keep; null forgets */
  keep(value) {
    this.writing = this.writing.then(() => this.write(value)).catch(() => {});
    return this.writing;
  }

  async write(value) {
    if (value === null || !this.key) { localStorage.removeItem(this.name); return; }
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const plain = new TextEncoder().encode(JSON.stringify(value));
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await this.key, plain);
    localStorage.setItem(this.name, `${encode(iv)}.${encode(sealed)}`);
  }

  /** @returns {Promise<any>} what was kept, null when there is nothing that can be opened */
  async open() {
    const kept = localStorage.getItem(this.name);
    if (!kept || !this.key) return null;
    try {
      const [iv, sealed] = kept.split('.').map(decode);
      const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, await this.key, sealed);
      return JSON.parse(new TextDecoder().decode(plain));
    } catch {
      return null;
    }
  }
}
