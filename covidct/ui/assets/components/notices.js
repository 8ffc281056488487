/* Notices of the browser's own, which are seen while another tab is in front. */
export default ({ data }) => {
  if (!globalThis.Notification) return; // the page came neither by HTTPS nor from this computer
  if (Notification.permission === "default") Notification.requestPermission();
  for (const { title, body } of data) new Notification(title, { body, tag: body });
};
