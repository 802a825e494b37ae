/* Something that is played in one life of the simulator, without a crash. */
#ifndef REF_SCENE_H
#define REF_SCENE_H

/* What the body returned: 0 is well; −1: it did not return. */
int scene_play(int (*body)(void *arg));

#endif
