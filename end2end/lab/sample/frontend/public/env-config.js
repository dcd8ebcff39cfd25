// Replaced on each server, so that one image serves every environment.
window.ENV = {
  API_BASE_URL: "",
  ENVIRONMENT: "local"
};
