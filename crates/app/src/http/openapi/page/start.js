SwaggerUIBundle({
  dom_id: "#page",
  url: "openapi.json",
  deepLinking: true,
  filter: true,
  displayOperationId: true,
  persistAuthorization: false,
  validatorUrl: null,
});
