"""What a store holds, in the form in which people look at it: plain JSON values for pages, reports and notebooks."""
