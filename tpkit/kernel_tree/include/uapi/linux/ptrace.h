/* Empty: BCC includes it, and a tracepoint program needs nothing of it. */
