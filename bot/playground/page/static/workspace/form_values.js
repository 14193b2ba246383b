/** The values of a form's fields, as the page holds them: text, an option's text, or a list of those. */

/**
 * Return what `view.state.values` holds.
 * @param {Object<string, Object<string, object>>} state  block_id → action_id → state
 */
export function readState(state) {
  const values = {};
  for (const [block, fields] of Object.entries(state)) {
    values[block] = {};
    for (const [action, field] of Object.entries(fields)) values[block][action] = value(field);
  }
  return values;
}

function value(field) {
  if ("selected_options" in field) return field.selected_options.map((option) => option.text.text);
  if ("selected_option" in field) return field.selected_option?.text.text ?? null;
  return field.value ?? "";
}

/** Return a sentence for each field that a client would not let one send, by block_id. */
export function requiredProblems(view, values) {
  const problems = {};
  for (const block of view.blocks.filter((each) => each.type === "input")) {
    const held = values[block.block_id]?.[block.element.action_id];
    const least = block.element.min_length ?? 0;
    if (!held?.length) {
      if (!block.optional) problems[block.block_id] = "Please fill in this field.";
    } else if (held.length < least) problems[block.block_id] = `Please write at least ${least} characters.`;
  }
  return problems;
}
