"""How good forecasts are: splits by time and rolling origins, scores, contests and pictures of them."""
