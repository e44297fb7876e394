// Durable writes of descriptors with 14x14x128 int8 patch tokens through IndexStream, over gRPC to a server in this
// process.
//
// Threading: one thread. Failure: ends the process with a message.
#ifndef SIGHTLINE_TESTS_BENCH_INGEST_TOKENS_H_
#define SIGHTLINE_TESTS_BENCH_INGEST_TOKENS_H_

namespace sightline::bench {

void MeasureTokens(bool quick);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_INGEST_TOKENS_H_
