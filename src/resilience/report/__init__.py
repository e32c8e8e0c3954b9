"""Reports: a record and its verdict in, a document out. Judged figures are shown as judged, never computed again."""
