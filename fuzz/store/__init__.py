"""What a campaign keeps on disk: the journal, the corpus and the crashes."""
