"""Cases from files of others, and files for others from cases: AFL, AFLNet, raw bytes, pcap."""
