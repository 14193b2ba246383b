/** Blocks that are shown again and again: those that did not change keep their elements. */

import { patch } from "../dom.js";
import { checkBlocks, renderBlock } from "./index.js";

export class KeptBlocks {
  /** @param {HTMLElement} element  whose children the blocks are */
  constructor(element) {
    this._element = element;
    this._known = new Map();
  }

  /**
   * Show these blocks. Throws Refused.
   * @param {object[]} blocks
   * @param {import("./index.js").Context} context
   */
  show(blocks, context) {
    checkBlocks(blocks);
    patch(this._element, this._kept(blocks), (block) => renderBlock(block, context));
  }

  /** Return blocks by id, as the same object where nothing changed. */
  _kept(blocks) {
    const known = this._known;
    this._known = new Map();
    for (const block of blocks) {
      const json = JSON.stringify(block);
      const before = known.get(block.block_id);
      this._known.set(block.block_id, before?.json === json ? before : { json, block });
    }
    return [...this._known].map(([id, { block }]) => [id, block]);
  }
}
