"""API descriptions (OpenAPI 3.0, 3.1 and 3.2, Swagger 2.0, GraphQL) as one normalised model."""
