/* Notices of the browser's own, which are seen while another tab is in front; each one once. */
let told = 0;

export default ({ data }) => {
  if (!globalThis.Notification) return; // the page came neither by HTTPS nor from this computer
  if (Notification.permission === "default") Notification.requestPermission();
  for (const { title, body } of data.slice(told)) new Notification(title, { body });
  told = Math.max(told, data.length);
};
