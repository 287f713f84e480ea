"""From a table or lists to the panel: many series on one regular grid."""
