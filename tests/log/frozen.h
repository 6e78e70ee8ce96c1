/* frozen.h - the delta that docs/protocol.md takes apart. A change here changes the format. */
#ifndef TESTS_LOG_FROZEN_H
#define TESTS_LOG_FROZEN_H

#define FROZEN_DELTA                                                                               \
    "9c0101c4108f4043ad5a010b355318433d974f5e46c408108048f615702338000502cf000001861b"             \
    "951300c4300c19f3d249cbadfa3c5ffadc755bbda19c12f45c1c26f3f49f944b1d46006cc15b5b5b"             \
    "5b5b5b5b5b5b5b5b5b5b5b5b5b9193c4104c6888304721b9aa7b0c20fd56e2f957cd012cc420a789"             \
    "7df851172e90ef2fef795837fee47fad10074a18f80c4e0d0d16f22f8baec42d02df99dae2a8b84f"             \
    "6d2b8e4b489b3099f069773e0ca911fb9254683c576a53641b8a6845b0a0cb6c05b22be510c4400b"             \
    "4def0a31449c2b74f1ee27e2f3667211ede3c9d154734b0109f141852cdd284b54345dfcfcd4c15c"             \
    "e603f2f4c70a82eb6d2edd97d216e77b66d3e8e234fc0e"
#define FROZEN_HASH "c24a1208e0d097921aa97ad070ae55cd17d581990ddd5344819356eaa5a00310"
#define FROZEN_LOG  "8f4043ad5a010b355318433d974f5e46"

#endif
