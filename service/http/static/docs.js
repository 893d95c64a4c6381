/* The API's description, drawn by Swagger UI from files of our own. */

window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null, // sends the description to nobody
});
