window.ENV = {
  API_BASE_URL: "{{ vars.api_base_url }}",
  ENVIRONMENT: "{{ vars.environment }}"
};
