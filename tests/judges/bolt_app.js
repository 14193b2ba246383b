// A small bot on Slack's own @slack/bolt for Node, over Socket Mode: a form, a message, an update.
const { App } = require("@slack/bolt");

const text = (words) => ({ type: "plain_text", text: words });

const app = new App({
  token: process.env.SLACK_BOT_TOKEN,
  appToken: process.env.SLACK_APP_TOKEN,
  socketMode: true,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
});

app.command("/aad-setup", async ({ ack, body, client }) => {
  await ack();
  await client.views.open({
    trigger_id: body.trigger_id,
    view: {
      type: "modal",
      callback_id: "form",
      private_metadata: body.channel_id,
      title: text("A form"),
      submit: text("Send"),
      blocks: [
        {
          type: "input",
          block_id: "name",
          label: text("Name"),
          element: { type: "plain_text_input", action_id: "value" },
        },
      ],
    },
  });
});

app.view("form", async ({ ack, view, client }) => {
  const name = view.state.values.name.value.value;
  if (name === "taken") {
    await ack({ response_action: "errors", errors: { name: "That name is taken." } });
    return;
  }
  await ack();
  await client.chat.postMessage({
    channel: view.private_metadata,
    text: `Asked for ${name}`,
    blocks: [
      { type: "section", text: { type: "mrkdwn", text: `Asked for ${name}` } },
      { type: "actions", elements: [{ type: "button", action_id: "ok", text: text("Approve") }] },
    ],
  });
});

app.action("ok", async ({ ack, body, client, respond }) => {
  await ack();
  await client.chat.update({
    channel: body.channel.id,
    ts: body.message.ts,
    text: `Approved by ${body.user.id}`,
    blocks: [],
  });
  await respond({ response_type: "ephemeral", replace_original: false, text: "Thank you" });
});

app.event("app_mention", async ({ event, say }) => {
  await say({ thread_ts: event.ts, text: "Heard" });
});

app.start().then(
  () => process.stdout.write("connected\n"),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
