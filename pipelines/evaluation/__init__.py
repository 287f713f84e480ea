"""How good forecasts were: rolling origins, scores, contests and pictures of them."""
