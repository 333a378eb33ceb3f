"""What a campaign keeps on disk: the journal, the corpus, the crashes, and its time line."""
